"""English: the language of the program itself, so that hints and messages need no other words."""

from __future__ import annotations

from invoice_watcher.languages.language import Card, Cards, Counted, Language, Page

LANGUAGE = Language(
    tag="en",
    name="English",
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    date="{day} {month} {year}",
    date_and_time="{date}, {time}",
    thousands=",",
    cards=Cards(
        well=Card(title="All is well", text="The service is running. Every invoice that is dropped is sent by itself."),
        attention=Card(
            title="Running, but some files need attention",
            text="The service is running. Some files were not delivered; what to do about each stands below.",
        ),
        world=Card(
            title="Paused: the printing service does not answer",
            text="Nothing to do. New invoices may be dropped; all are kept and sent by themselves once it answers "
            "again.",
        ),
        operator=Card(
            title="Paused: the administrator is needed",
            text="Please make sure that the administrator knows. Invoices may still be dropped; nothing is lost.",
        ),
        ours=Card(
            title="Paused: this computer cannot file invoices",
            text="Please make sure that the administrator knows. Invoices may still be dropped; nothing is lost.",
        ),
        trouble=Card(
            title="Waiting for the folders",
            text="The service is running, but cannot use its folders. Please tell the administrator.",
        ),
        over=Card(
            title="The service was stopped",
            text="Nothing is sent until it is started again. Files that lie here are kept, and sent then. "
            "If you did not expect this, tell the administrator.",
        ),
    ),
    page=Page(
        heading="Invoice upload",
        written="Written on {date} at {time} ({zone})",
        renewed="Renewed every minute while the service is running; if that is more than five minutes ago, the service "
        "is not running: tell the administrator.",
        final="This is the last page that the service wrote; it begins anew when it is started again.",
        stale_title="This page is out of date",
        stale="According to this device's clock it was written more than five minutes ago, though it is renewed every "
        "minute while the service is running. So nothing below may be true any more. Tell the administrator.",
        since="since {time}",
        next_try="Next try: {time}.",
        for_administrator="For the administrator",
        message="Message",
        on_their_way=Counted("{n} invoice is on its way.", "{n} invoices are on their way."),
        running_since="{n} delivered since the start ({time}).",
        failed="Failed",
        failed_none="No file has failed.",
        failed_more=Counted("and {n} older one", "and {n} older ones"),
        mend="These files lie in the folder {folder}. Do what is said beside each; a file that is moved back into this "
        "folder is sent again, and its entry here disappears.",
        order="Order {id}",
        no_order="No order number",
        order_number="Order number",
        file="File",
        time="Time",
        what_happened="What happened",
        what_to_do="What to do",
        unexplained="Why this file failed is not known: the .json file that tells it is missing or damaged.",
        unexplained_cure="Move the file back into the drop folder; it is tried once more.",
        failed_unknown="The folder of failed files cannot be read now.",
        left_alone="Left alone",
        left_alone_why="This is a folder or a link, and only files are taken: move what is in it into this folder "
        "itself.",
        left_alone_more=Counted("and {n} more", "and {n} more"),
        waiting="Waiting",
        waiting_none="No file is waiting.",
        waiting_more=Counted("and {n} more", "and {n} more"),
        why="Why",
        waiting_since="Since",
        behind="Waits for {name}, which is of the same order and goes first",
        again="Sent again by itself at {time}",
        sent=Counted("tried once so far", "tried {n} times so far"),
        delivered="Delivered last",
        delivered_none="Nothing has been delivered yet.",
        legend="About this page",
        legend_texts=(
            (
                "Drop each invoice into this folder under its order number, for example 12345.pdf. It is sent by "
                "itself, and then moved into the folder {done}."
            ),
            (
                "Look here when a file stays where it is: under “Failed” and “Left alone” stands what to do about it; "
                "under “Waiting”, there is nothing to do."
            ),
            "This page renews itself; to be sure, reload it.",
        ),
        zone="All times: {zone}.",
        program="Written by invoice-watcher {version} for {folder}.",
    ),
    states={
        "settling": "Is not finished yet",
        "ready": "Its turn comes",
        "behind": "Waits for another file of the same order",
        "paused": "Waits until the service sends again",
        "sending": "Is being sent now",
        "deferred": "Is sent again by itself",
        "suspect": "The program ended while it was being sent; it is sent again, alone",
        "held": "Was answered; whose fault that answer is, is being found out",
        "unfiled": "Was answered, and is filed as soon as this computer can",
        "unread": "The disk does not give it; it is kept as it is until the administrator has seen to that",
    },
)

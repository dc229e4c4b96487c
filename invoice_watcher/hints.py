"""What to do, in plain words: one hint for each reason, and a cure where an administrator has to act.

A clerk who sees only the folder reads the hint in the receipt. Each says what happened and what to do next, and names
no machinery; that is for the cures, which stand in the log. Pure; nothing raises: a reason without words of its own
gets `DEFAULT`.
"""

from __future__ import annotations

_AGAIN = "drop it into the folder again"
_BY_ITSELF = "Nothing to do: the file is kept and sent again by itself."
_ADMINISTRATOR = "Nothing to do at the share: the file is kept and sent by itself once the administrator has"

DEFAULT = "Ask the administrator what to do, and keep the file until then."

# For the end of a hint that advises to send the invoice another way.
MAY_HAVE_ARRIVED = (
    " An earlier attempt to send it was cut off before the answer came, and may have gone through: check the order "
    "before you send the invoice another way."
)

RECEIPT_ALONE = "This is only the receipt of a document: delete it, and move the document alone."

_HINTS = {
    # What the API says about an order or a document.
    "unknown_order": "There is no order with this number. Check the number in the file's name, rename the file to "
    f"the right order number, and {_AGAIN}.",
    "wrong_api_code": "This order belongs to another account (it was made with a different API code). Check the "
    f"number in the file's name; if it is wrong, rename the file and {_AGAIN}. If it is right, ask the "
    "administrator which account the order belongs to.",
    "order_closed": "The order has left or was cancelled, so its invoice can no longer be changed. Send the "
    "invoice to the customer another way, if it is still needed.",
    "bad_link": "The shortcut does not hold a web link that the printing service can use. Open it, check that "
    f"the address starts with https:// and leads to the invoice, save it, and {_AGAIN}. Or drop the document itself.",
    "link_unreachable": "The printing service could not download the document from this link, several times. "
    f"Check that the link opens without a password from outside the office, and {_AGAIN}; or drop the document "
    "itself in place of the link.",
    "unsupported_format": "Only .pdf, .doc, .docx, .xls and .xlsx files are taken (or a .url shortcut to one). "
    f"Save or export the invoice as PDF, name it ORDERNUMBER.pdf, and {_AGAIN}.",
    "no_document": f"The printing service found no document in what was sent. {DEFAULT}",
    "empty": f"Export the invoice once more and {_AGAIN}.",
    "too_large": "The file is larger than is allowed. Export it as a smaller PDF (with fewer or smaller pictures) "
    f"and {_AGAIN}.",
    "file_and_link": f"The printing service saw a document and a link at once. {DEFAULT}",
    # What was seen before anything was sent.
    "bad_name": f"Rename the file to the order number and nothing else, for example 12345.pdf, and {_AGAIN}.",
    "content_mismatch": "Give the file the ending that fits what is inside it, for example .pdf; or open it in the "
    f"program that made it, save or export it as PDF, and {_AGAIN}.",
    "incomplete": "The document is cut off: its end is missing, so it was probably copied or saved only in part. "
    f"Save or copy it once more and {_AGAIN}.",
    "poison": "The program stopped three times while sending this document, so it was put aside. Export the "
    f"document again as PDF and {_AGAIN}; if that fails too, ask the administrator.",
    # What the API's machine says about the request.
    "http_400": f"The printing service could not read this document. Export it again as PDF and {_AGAIN}.",
    "http_413": f"The printing service found the file too large. Export it as a smaller PDF and {_AGAIN}.",
    "http_415": f"The printing service does not take this kind of file. Export it as PDF and {_AGAIN}.",
    "http_422": f"The printing service could not use this document. Export it again as PDF and {_AGAIN}.",
    "keeps_failing": "Other invoices go through, but this one failed again and again. Export it again as PDF and "
    f"{_AGAIN}; if that fails too, ask the administrator.",
    # What passes, or what the administrator has to mend.
    "unreachable": _BY_ITSELF,
    "timeout": _BY_ITSELF,
    "broken_connection": _BY_ITSELF,
    "busy": _BY_ITSELF,
    "server_error": _BY_ITSELF,
    "unclear_answer": _BY_ITSELF,
    "stopped": _BY_ITSELF,
    "changed": "The file was changed while it was being sent; it is sent again as it is now. Nothing to do.",
    "not_recordable": f"{_ADMINISTRATOR} made room or given back the right to write in the folders.",
    "access_denied": f"{_ADMINISTRATOR} put the right API code into the configuration.",
    "wrong_address": f"{_ADMINISTRATOR} put the right address of the service into the configuration.",
    "redirected": f"{_ADMINISTRATOR} put the right address of the service into the configuration.",
    "tls": f"{_ADMINISTRATOR} mended the secure connection to the service.",
    "web_page": f"{_ADMINISTRATOR} found out why a web page answers in place of the service.",
    "api_code_refused": f"{_ADMINISTRATOR} put the right API code into the configuration.",
    "request_failed": _BY_ITSELF,
}

_RESTART = "Check the API code (the credential api-code, api.api_code_file or api.api_code), then restart the service."
_IF_IT_LASTS = (
    "It is tried again by itself. If it lasts, `invoice-watcher check --online` says where the way to the API ends."
)
_SUPPORT = "It is tried again by itself. If it lasts for hours, ask the service's support."
_CURES = {
    "unreachable": _IF_IT_LASTS,
    "timeout": _IF_IT_LASTS,
    "broken_connection": _IF_IT_LASTS,
    "unclear_answer": _IF_IT_LASTS,
    "busy": _SUPPORT,
    "server_error": _SUPPORT,
    "access_denied": _RESTART,
    "api_code_refused": _RESTART,
    "wrong_address": "Check api.base_url and api.proxy, then reload the service.",
    "redirected": "Check api.base_url, and whether a proxy or firewall on the way asks for a login.",
    "web_page": "Check api.base_url, and whether a proxy or firewall on the way asks for a login.",
    "tls": "Check the server's certificate, this machine's clock, and api.ca_bundle if the authority is your own.",
}

REASONS = frozenset(_HINTS)


def hint_for(reason: str) -> str:
    """Return what to tell the clerk about `reason`."""
    return _HINTS.get(reason, DEFAULT)


def cure_for(reason: str) -> str:
    """Return what to tell the administrator about `reason`: its cure, or what the clerk is told."""
    return _CURES.get(reason) or hint_for(reason)

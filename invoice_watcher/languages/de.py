"""Deutsch: German, as an office writes it to its staff."""

from __future__ import annotations

from invoice_watcher.languages.language import Card, Cards, Counted, Language, Page

_AGAIN = "legen Sie sie erneut in den Ordner"
_BY_ITSELF = "Sie brauchen nichts zu tun: Die Datei bleibt erhalten und wird von selbst noch einmal gesendet."
_ADMINISTRATOR = (
    "Im Ordner brauchen Sie nichts zu tun: Die Datei bleibt erhalten und wird von selbst gesendet, sobald die "
    "Administration"
)
_ASK = "Fragen Sie bei der Administration nach, und bewahren Sie die Datei so lange auf."
_AS_PDF = f"Exportieren Sie sie noch einmal als PDF, und {_AGAIN}"
_CODE = f"{_ADMINISTRATOR} den richtigen API-Code eingetragen hat."
_ADDRESS = f"{_ADMINISTRATOR} die richtige Adresse des Druckdienstes eingetragen hat."
_ON_THE_WAY = (
    "Prüfen Sie api.base_url, und ob ein Proxy oder eine Firewall auf dem Weg dorthin eine Anmeldung verlangt."
)
_RESTART = (
    "Prüfen Sie den API-Code (Credential api-code, api.api_code_file oder api.api_code), und starten Sie den Dienst "
    "neu."
)

_HINTS = {
    "unknown_order": "Zu dieser Nummer gibt es keinen Auftrag. Prüfen Sie die Nummer im Dateinamen, benennen Sie die "
    f"Datei nach der richtigen Auftragsnummer um, und {_AGAIN}.",
    "wrong_api_code": "Dieser Auftrag gehört zu einem anderen Konto (er wurde mit einem anderen API-Code angelegt). "
    "Prüfen Sie die Nummer im Dateinamen; ist sie falsch, benennen Sie die Datei um, und "
    f"{_AGAIN}. Ist sie richtig, fragen Sie bei der Administration nach, zu welchem Konto der Auftrag gehört.",
    "order_closed": "Der Auftrag ist schon versandt oder storniert; seine Rechnung kann nicht mehr geändert werden. "
    "Schicken Sie die Rechnung auf anderem Weg an den Kunden, falls sie noch gebraucht wird.",
    "bad_link": "Die Verknüpfung enthält keine Internetadresse, die der Druckdienst verwenden kann. Öffnen Sie sie, "
    "prüfen Sie, ob die Adresse mit https:// beginnt und zur Rechnung führt, speichern Sie die Datei, und "
    f"{_AGAIN}. Oder legen Sie das Dokument selbst in den Ordner.",
    "link_unreachable": "Der Druckdienst konnte das Dokument mehrmals nicht von dieser Adresse abrufen. Prüfen Sie, ob "
    "sich die Adresse von außerhalb des Büros ohne Kennwort öffnen lässt, und legen Sie die Datei erneut in den "
    "Ordner; oder legen Sie statt der Verknüpfung das Dokument selbst hinein.",
    "unsupported_format": "Angenommen werden nur Dateien mit der Endung .pdf, .doc, .docx, .xls oder .xlsx (oder eine "
    ".url-Verknüpfung zu einer solchen). Speichern oder exportieren Sie die Rechnung als PDF, nennen Sie sie "
    f"AUFTRAGSNUMMER.pdf, und {_AGAIN}.",
    "no_document": f"Der Druckdienst fand in der Sendung kein Dokument. {_ASK}",
    "empty": f"Exportieren Sie die Rechnung noch einmal, und {_AGAIN}.",
    "too_large": "Die Datei ist größer als erlaubt. Exportieren Sie sie als kleineres PDF (mit weniger oder kleineren "
    f"Bildern), und {_AGAIN}.",
    "file_and_link": f"Der Druckdienst fand in der Sendung ein Dokument und eine Verknüpfung zugleich. {_ASK}",
    "bad_name": "Benennen Sie die Datei nach der Auftragsnummer und sonst nichts, zum Beispiel 12345.pdf, und "
    f"{_AGAIN}.",
    "content_mismatch": "Geben Sie der Datei die Endung, die zu ihrem Inhalt passt, zum Beispiel .pdf; oder öffnen Sie "
    "sie in dem Programm, mit dem sie erstellt wurde, speichern oder exportieren Sie sie als PDF, und "
    f"{_AGAIN}.",
    "incomplete": "Das Dokument ist abgeschnitten: Sein Ende fehlt; wahrscheinlich wurde es nur zum Teil kopiert oder "
    f"gespeichert. Speichern oder kopieren Sie die Datei noch einmal, und {_AGAIN}.",
    "poison": "Das Programm brach beim Senden dieses Dokuments dreimal ab, deshalb wurde die Datei beiseitegelegt. "
    f"{_AS_PDF}; schlägt auch das fehl, fragen Sie bei der Administration nach.",
    "http_400": f"Der Druckdienst konnte diese Datei nicht lesen. {_AS_PDF}.",
    "http_413": f"Der Druckdienst fand diese Datei zu groß. Exportieren Sie sie als kleineres PDF, und {_AGAIN}.",
    "http_415": "Der Druckdienst nimmt Dateien dieser Art nicht an. Exportieren Sie die Rechnung als PDF, und "
    f"{_AGAIN}.",
    "http_422": f"Der Druckdienst konnte mit dieser Datei nichts anfangen. {_AS_PDF}.",
    "keeps_failing": "Andere Rechnungen gehen durch, diese Datei aber schlug immer wieder fehl. "
    f"{_AS_PDF}; schlägt auch das fehl, fragen Sie bei der Administration nach.",
    "unreachable": _BY_ITSELF,
    "timeout": _BY_ITSELF,
    "broken_connection": _BY_ITSELF,
    "busy": _BY_ITSELF,
    "server_error": _BY_ITSELF,
    "unclear_answer": _BY_ITSELF,
    "stopped": _BY_ITSELF,
    "changed": "Die Datei wurde geändert, während sie gesendet wurde; sie wird so, wie sie jetzt ist, noch einmal "
    "gesendet. Sie brauchen nichts zu tun.",
    "not_recordable": f"{_ADMINISTRATOR} Platz geschaffen oder die Schreibrechte in den Ordnern wiederhergestellt hat.",
    "access_denied": _CODE,
    "wrong_address": _ADDRESS,
    "redirected": _ADDRESS,
    "tls": f"{_ADMINISTRATOR} die sichere Verbindung zum Druckdienst wiederhergestellt hat.",
    "web_page": f"{_ADMINISTRATOR} herausgefunden hat, warum statt des Druckdienstes eine Webseite antwortet.",
    "api_code_refused": _CODE,
    "request_failed": _BY_ITSELF,
}

_IF_IT_LASTS = (
    "Es wird von selbst weiter versucht. Wenn es andauert, sagt `invoice-watcher check --online`, "
    "wo der Weg zur API endet."
)
_SUPPORT = "Es wird von selbst weiter versucht. Wenn es Stunden andauert, fragen Sie den Support des Druckdienstes."
_CURES = {
    "unreachable": _IF_IT_LASTS,
    "timeout": _IF_IT_LASTS,
    "broken_connection": _IF_IT_LASTS,
    "unclear_answer": _IF_IT_LASTS,
    "busy": _SUPPORT,
    "server_error": _SUPPORT,
    "access_denied": _RESTART,
    "api_code_refused": _RESTART,
    "wrong_address": "Prüfen Sie api.base_url und api.proxy, und laden Sie die Konfiguration des Dienstes neu.",
    "redirected": _ON_THE_WAY,
    "web_page": _ON_THE_WAY,
    "tls": "Prüfen Sie das Zertifikat des Servers, die Uhr dieses Rechners und api.ca_bundle, falls die "
    "Zertifizierungsstelle Ihre eigene ist.",
}

_MESSAGES = {
    "unknown_order": "Die Auftragsnummer ist falsch.",
    "wrong_api_code": "Der API-Code passt nicht zu diesem Auftrag.",
    "order_closed": "Der Auftrag ist schon versandt oder storniert.",
    "bad_link": "Der Verweis auf das Dokument hat nicht die richtige Form.",
    "link_unreachable": "Das Dokument konnte nicht heruntergeladen werden, oder es dauerte zu lange.",
    "unsupported_format": "Dieses Dateiformat wird nicht angenommen.",
    "no_document": "Die Anfrage enthielt kein Dokument.",
    "empty": "Die Datei ist leer.",
    "too_large": "Die Datei ist zu groß.",
    "file_and_link": "Die Anfrage enthielt ein Dokument und eine Verknüpfung zugleich.",
    "bad_name": "Der Dateiname ist keine Auftragsnummer.",
    "content_mismatch": "Der Inhalt der Datei passt nicht zu ihrer Endung.",
    "incomplete": "Das Dokument ist unvollständig.",
    "poison": "Das Programm brach beim Senden dieses Dokuments mehrmals ab.",
    "http_400": "Der Druckdienst lehnte das Dokument als unlesbar ab.",
    "http_413": "Der Druckdienst lehnte das Dokument als zu groß ab.",
    "http_415": "Der Druckdienst lehnte die Art des Dokuments ab.",
    "http_422": "Der Druckdienst konnte das Dokument nicht verwenden.",
    "keeps_failing": "Das Senden schlug immer wieder fehl.",
    "unreachable": "Der Druckdienst ist nicht erreichbar.",
    "timeout": "Der Druckdienst antwortete nicht rechtzeitig.",
    "broken_connection": "Die Verbindung zum Druckdienst brach ab.",
    "busy": "Der Druckdienst ist überlastet.",
    "server_error": "Beim Druckdienst ist ein Fehler aufgetreten.",
    "unclear_answer": "Die Antwort des Druckdienstes war unklar.",
    "stopped": "Das Programm wurde beendet, während das Dokument gesendet wurde.",
    "changed": "Die Datei wurde geändert, während sie gesendet wurde.",
    "not_recordable": "Dieser Rechner konnte die Datei nicht lesen oder nicht ablegen.",
    "access_denied": "Der Druckdienst nimmt den API-Code nicht an.",
    "wrong_address": "Die eingetragene Adresse oder der Proxy ist nicht brauchbar.",
    "redirected": "Die Anfrage wurde an eine andere Adresse verwiesen.",
    "tls": "Es kommt keine sichere Verbindung zum Druckdienst zustande.",
    "web_page": "Statt des Druckdienstes antwortete eine Webseite.",
    "api_code_refused": "Der Druckdienst wies den API-Code mehrmals zurück.",
    "request_failed": "Die Anfrage konnte nicht gestellt werden.",
}

_PHRASES = {
    "is left as it is until the next start, for it or its note cannot be read; have the administrator look at the "
    "disk": "Bleibt bis zum nächsten Start liegen, denn sie oder ihr Vermerk ist nicht lesbar; lassen Sie die "
    "Administration die Festplatte prüfen",
    "is still open for writing": "Ist noch in einem Programm geöffnet",
    "changed while it was being read": "Wurde geändert, während sie gelesen wurde",
    "has a second name (hard link)": "Liegt unter einem zweiten Namen auf der Platte (Hardlink)",
    "is gone": "Ist nicht mehr da",
    "is no regular file": "Ist keine gewöhnliche Datei",
    "may not be read by this program; its owner must allow it": "Darf von diesem Programm nicht gelesen werden; wem "
    "die Datei gehört, muss es erlauben",
    "may not be moved by this program; its owner, or the administrator, must allow it": "Darf von diesem Programm "
    "nicht verschoben werden; wem die Datei gehört, oder die Administration, muss es erlauben",
    "is still empty": "Ist noch leer",
    "seems unfinished: {}": "Scheint noch nicht vollständig zu sein",
    "changed moments ago, and is left alone for {} s": "Wurde gerade erst geändert und bleibt noch {} s unberührt",
    "cannot be read ({}); drop it anew, and have the administrator look at the disk": "Ist nicht lesbar ({}); legen "
    "Sie die Datei neu ab, und lassen Sie die Administration die Festplatte prüfen",
    "has to wait: {}": "Muss warten, denn dieser Rechner kann sie jetzt nicht lesen oder nicht ablegen",
    "waits, for its old receipt in the failed folder cannot be read ({})": "Wartet, denn ihr alter Beleg im Ordner für "
    "Fehlgeschlagenes ist nicht lesbar ({})",
}

_KEPT = (
    "Bitte sorgen Sie dafür, dass die Administration Bescheid weiß. Sie können weiter Rechnungen ablegen; es geht "
    "nichts verloren."
)

LANGUAGE = Language(
    tag="de",
    name="Deutsch",
    months=("Jan.", "Feb.", "März", "Apr.", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."),
    date="{day}. {month} {year}",
    date_and_time="{date}, {time}",
    thousands=".",
    zones={"CET": "MEZ", "CEST": "MESZ"},
    cards=Cards(
        well=Card(title="Alles in Ordnung", text="Der Dienst läuft. Jede abgelegte Rechnung wird von selbst gesendet."),
        attention=Card(
            title="In Betrieb, aber einige Dateien wurden nicht angenommen",
            text="Der Dienst läuft. Einige Dateien wurden nicht zugestellt; was jeweils zu tun ist, steht unten.",
        ),
        world=Card(
            title="Unterbrochen: Der Druckdienst antwortet nicht",
            text="Sie brauchen nichts zu tun und können weiter Rechnungen ablegen. Alle bleiben erhalten und werden "
            "von selbst gesendet, sobald der Druckdienst wieder antwortet.",
        ),
        operator=Card(
            title="Unterbrochen: Die Administration wird gebraucht",
            text=_KEPT,
        ),
        ours=Card(
            title="Unterbrochen: Dieser Rechner kann nichts ablegen",
            text=_KEPT,
        ),
        trouble=Card(
            title="Der Dienst wartet auf seine Ordner",
            text="Er läuft, kann seine Ordner aber nicht benutzen. Bitte verständigen Sie die Administration.",
        ),
        over=Card(
            title="Der Dienst wurde beendet",
            text="Es wird nichts gesendet, bis er wieder gestartet wird. Die Dateien, die hier liegen, bleiben "
            "erhalten und werden dann gesendet. Wenn Sie das nicht erwartet haben, verständigen Sie die "
            "Administration.",
        ),
    ),
    page=Page(
        heading="Rechnungsversand",
        written="Geschrieben am {date} um {time} Uhr ({zone})",
        renewed="Wird jede Minute erneuert, solange der Dienst läuft; ist das länger als fünf Minuten her, läuft der "
        "Dienst nicht: Bitte verständigen Sie die Administration.",
        final="Dies ist die letzte Seite, die der Dienst geschrieben hat; er erneuert sie, sobald er wieder gestartet "
        "wird.",
        stale_title="Diese Seite ist veraltet",
        stale="Nach der Uhr dieses Geräts wurde sie vor mehr als fünf Minuten geschrieben; solange der Dienst läuft, "
        "wird sie aber jede Minute erneuert. Was unten steht, stimmt also vielleicht nicht mehr. Bitte verständigen "
        "Sie die Administration.",
        since="seit {time} Uhr",
        next_try="Nächster Versuch: {time} Uhr.",
        for_administrator="Für die Administration",
        message="Meldung",
        on_their_way=Counted("{n} Rechnung ist unterwegs.", "{n} Rechnungen sind unterwegs."),
        running_since="{n} zugestellt seit dem Start ({time} Uhr).",
        failed="Fehlgeschlagen",
        failed_none="Keine Datei ist fehlgeschlagen.",
        failed_more=Counted("und {n} ältere", "und {n} ältere"),
        mend="Diese Dateien liegen im Ordner {folder}. Tun Sie, was jeweils dabeisteht; eine Datei, die Sie hierher "
        "zurückverschieben, wird noch einmal gesendet, und ihr Eintrag hier verschwindet.",
        order="Auftrag {id}",
        no_order="Keine Auftragsnummer",
        order_number="Auftragsnummer",
        file="Datei",
        time="Zeit",
        what_happened="Was geschah",
        what_to_do="Was zu tun ist",
        unexplained="Warum diese Datei fehlschlug, ist nicht bekannt: Die .json-Datei dazu fehlt oder ist beschädigt.",
        unexplained_cure="Verschieben Sie die Datei zurück in den Ablageordner; sie wird dann noch einmal versucht.",
        failed_unknown="Der Ordner der fehlgeschlagenen Dateien ist zurzeit nicht lesbar.",
        left_alone="Nicht beachtet",
        left_alone_why="Das ist ein Ordner oder eine Verknüpfung, und nur Dateien werden angenommen: Verschieben Sie, "
        "was darin liegt, in diesen Ordner selbst.",
        left_alone_more=Counted("und {n} weitere", "und {n} weitere"),
        waiting="Wartend",
        waiting_none="Keine Datei wartet.",
        waiting_more=Counted("und {n} weitere", "und {n} weitere"),
        why="Warum",
        waiting_since="Seit",
        behind="Wartet auf {name}; diese Datei desselben Auftrags ist zuerst dran",
        again="Wird um {time} Uhr von selbst noch einmal gesendet",
        sent=Counted("bisher einmal versucht", "bisher {n}-mal versucht"),
        delivered="Zuletzt zugestellt",
        delivered_none="Bisher wurde nichts zugestellt.",
        legend="Zu dieser Seite",
        legend_texts=(
            (
                "Legen Sie jede Rechnung unter ihrer Auftragsnummer in diesen Ordner, zum Beispiel 12345.pdf. Sie wird "
                "von selbst gesendet und danach in den Ordner {done} verschoben."
            ),
            (
                "Sehen Sie hier nach, wenn eine Datei liegen bleibt: Unter „Fehlgeschlagen“ und „Nicht beachtet“ "
                "steht, was zu tun ist; unter „Wartend“ ist nichts zu tun."
            ),
            "Diese Seite erneuert sich von selbst; um sicherzugehen, laden Sie sie neu.",
        ),
        zone="Alle Zeiten: {zone}.",
        program="Geschrieben von invoice-watcher {version} für {folder}.",
    ),
    states={
        "settling": "Ist noch nicht fertig",
        "ready": "Ist bald an der Reihe",
        "behind": "Wartet auf eine andere Datei desselben Auftrags",
        "paused": "Wartet, bis der Dienst wieder sendet",
        "sending": "Wird gerade gesendet",
        "deferred": "Wird von selbst noch einmal gesendet",
        "suspect": "Das Programm brach ab, während die Datei gesendet wurde; sie wird allein noch einmal gesendet",
        "held": "Ist beantwortet; noch wird geklärt, woran die Antwort liegt",
        "unfiled": "Ist beantwortet und wird abgelegt, sobald dieser Rechner es kann",
        "unread": "Ist auf der Festplatte nicht lesbar; sie bleibt so liegen, bis die Administration das behoben hat",
    },
    hints=_HINTS,
    cures=_CURES,
    messages=_MESSAGES,
    phrases=_PHRASES,
    doubt=" Ein früherer Versuch brach ab, bevor die Antwort kam, und ist vielleicht durchgekommen: Sehen Sie im "
    "Auftrag nach, bevor Sie die Rechnung auf anderem Weg schicken.",
)

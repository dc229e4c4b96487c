"""The control socket: other commands ask the running program how things stand.

One connection, one question, one answer, each a line of JSON (`wire`). `{"name": null}` asks for the standing, and
`{"name": "12345.pdf"}` for one file's as well. The socket lies in the runtime directory, under a name made of the drop
folder's path (`rendezvous`), and whoever may look into that folder by its group may ask. It only tells: nothing can be
changed through it, and no secret is known to it. The running program is the `server`, which hands a `question` to the
loop; `status` and `explain` are the `client`.

Guarantees: whoever asks, and then neither writes nor reads, holds up the daemon not at all, and other users' questions
neither; all questions together are at most one message at a time for the loop, and twenty a second, or fewer where so
much waits that an answer takes long. Raises nothing where it serves; `ask` raises ControlError, whatever is answered.
"""

from invoice_watcher.control.client import ask
from invoice_watcher.control.question import Question
from invoice_watcher.control.server import Control
from invoice_watcher.control.wire import Answer

__all__ = ["Answer", "Control", "Question", "ask"]

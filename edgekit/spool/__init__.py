"""Messages kept on disk until somebody has acknowledged them: they survive an outage, a killed process and a crash.

Crash points, and what becomes of a message at each:

====================================  ======================================================================
killed                                then
====================================  ======================================================================
while it is appended                  its torn record is left out at the next opening; `append` never returned
after it was appended                 it is handed out after the next opening
after it was handed out               it is handed out again, marked as one that may have been delivered
after delivery, before `acknowledge`  the same
after `acknowledge`                   it is never handed out again
====================================  ======================================================================

The kernel has a record before `append` returns, which is what a killed process leaves behind. Against a power cut
`sync` puts records on the disk; what was appended since may be lost. After a restart of the machine every message that
is left is marked as possibly delivered, since the note of what was handed out may be older than the records.
"""

from __future__ import annotations

from edgekit.spool.spool import Entry, Spool

__all__ = ["Entry", "Spool"]

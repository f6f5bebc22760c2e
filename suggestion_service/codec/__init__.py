"""The values of ``katib.core`` <-> messages of the wire; nothing else.

``experiment`` and ``trials`` write and read what one of our own engines sends; ``foreign`` fills in what a controller
that knows only Katib's fields leaves out; ``proposals`` does the replies; ``values`` is the only place where numbers
are texts.
"""

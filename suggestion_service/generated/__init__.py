"""Message classes made from ``proto/api.proto`` by ``make proto``; never edited by hand.

They are made by an old release of the compiler on purpose: messages made by a new one refuse to load under older
protobuf packages, while these load under every release since.
"""

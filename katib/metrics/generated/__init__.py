"""Message classes made from ``proto/event.proto`` by ``make proto``; never edited by hand."""

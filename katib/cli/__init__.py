"""Floor 8: the command line, with kubectl's verbs and object names. One file a group of commands, loaded when used."""

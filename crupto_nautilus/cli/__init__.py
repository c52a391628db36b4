"""The command line `crupto`: one file a command group, imported only when it is called."""

"""The subcommands of ``llmpref``, one module each: ``add`` declares its arguments, and names what runs it."""

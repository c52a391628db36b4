"""The application: command line, configuration, assembly of the desk, journal, reports."""

"""JSON routes: thin, over the services."""

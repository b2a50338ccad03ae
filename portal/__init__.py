"""Who asked for what, and what became of it: one Django app over the library ``provisioning``."""

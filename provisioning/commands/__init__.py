"""Running a bundle's own commands on this machine: in a sandbox, watched, and apart from the process that asked."""

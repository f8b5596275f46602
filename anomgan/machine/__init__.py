"""Everything about the computer: devices, files, progress bars, Ctrl-C, processes, clusters."""

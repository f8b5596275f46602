"""What touches the computer: devices, files, progress bars, Ctrl-C, several processes, clusters."""

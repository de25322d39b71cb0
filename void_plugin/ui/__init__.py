"""The panel and the monitor: windows that show, and ask others to do. Nothing here decides a pixel or runs a job."""

"""Shows: command line, report pages, Excel in and out."""

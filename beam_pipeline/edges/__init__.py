"""Every client library the pipeline speaks to lives behind one of these modules."""

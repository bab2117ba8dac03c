"""The HTTP port: the google.api.http binding of the Job service, its description, and pages."""

"""The HTTP port: the Job service by google.api.http, its OpenAPI description, and pages."""

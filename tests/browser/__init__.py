"""The pages, in a browser that the tests of this package share."""

"""One module per version of the schema, its statements beside it as SQL."""

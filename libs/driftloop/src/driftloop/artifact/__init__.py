"""The model as stored bytes and as something that scores rows."""

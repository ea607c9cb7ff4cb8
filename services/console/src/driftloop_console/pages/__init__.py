"""What each page says, as plain values: the same that is shown as HTML and answered as JSON. Pure but for the clock of the record."""

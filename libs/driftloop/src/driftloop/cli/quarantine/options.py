"""Options and words that the commands on rejected messages share."""

import click

stream_option = click.option("--stream", default=None, help="The stream; optional when one is registered.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON; bytes are base64.")


def text(data: bytes | None) -> str:
    return "null" if data is None else data.decode("utf-8", "backslashreplace")

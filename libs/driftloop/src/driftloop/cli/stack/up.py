"""`driftloop up` and `driftloop down`: a local stack in the background."""

import json
from pathlib import Path

import click

from driftloop.cli.errors import one_line_errors
from driftloop.cli.options import tell
from driftloop.client import Client
from driftloop.client.changes import Changes
from driftloop.contracts.services import CONSOLE, NOTIFIER
from driftloop.errors import UserError
from driftloop.installation import installation_of, named_by_environment, stack_home
from driftloop.local.addresses import StackAddresses
from driftloop.local.background import end_in_background
from driftloop.local.environment import notification_secrets
from driftloop.local.port_numbers import DEFAULT_PORT_BASE
from driftloop.local.readiness import wait_for_services
from driftloop.local.scale import counts_from
from driftloop.local.up import bring_up, take_down
from driftloop.project.reading import read_project


@click.command()
@click.option("--project", type=click.Path(path_type=Path), help="Folder with a driftloop.toml to register once the stack is up.")
@click.option("--port-base", type=int, help=f"First of the stack's ports (default {DEFAULT_PORT_BASE}).")
@click.option("--scale", multiple=True, metavar="SERVICE=N", help="How many instances of a service to run; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
@one_line_errors
def up(project: Path | None, port_base: int | None, scale: tuple[str, ...], as_json: bool) -> None:
    """Start Kafka, S3 and the services, and leave them running.

    Without a project, now or earlier, the services wait for one: `driftloop up --project DIR` on a running stack brings it, and each
    further project an ingest, a predictor and a monitor of its own. On a running stack --scale changes the instances of the services
    that it names; with several projects, those of the one that --project names.
    """
    counts = counts_from(scale)  # a mistake is told before anything else
    if project is not None and not (project / "driftloop.toml").is_file():
        raise UserError(f"{project} is not a project: it has no driftloop.toml")
    if named_by_environment():
        return _register_elsewhere(project, as_json, own_stack=bool(scale) or port_base is not None)
    checked = None if project is None else read_project(project)
    name = None if checked is None else checked.name
    if checked is not None and checked.notify and counts.setdefault(NOTIFIER.name, 1):
        secrets = notification_secrets(stack_home())
        tell(f"{checked.name} has rules of [[notify]]: the notifier runs, too, and finds the secrets that they name in {secrets}")
    addresses = bring_up(stack_home(), port_base, counts, name, registered=registered_projects, say=tell)
    if project is not None:
        tell(f"registering the project {name}")
        Changes(stack=installation_of(addresses)).register_project(project)
        wait_for_services(addresses, project=name, say=tell)
    click.echo(json.dumps(_summary(addresses)) if as_json else _text(addresses))
    return None


def registered_projects(addresses: StackAddresses) -> list[str]:
    """Of the stack that runs there. Raises TransientError when its registry does not answer."""
    found = Client(stack=installation_of(addresses)).models()
    return sorted({model.project.project for model in found if model.project is not None})


def _register_elsewhere(project: Path | None, as_json: bool, *, own_stack: bool) -> None:
    """In the stack that the environment names, which someone else has started."""
    if project is None or own_stack:
        raise UserError("DRIFTLOOP_CLI_KAFKA_BOOTSTRAP names a stack that runs elsewhere: all that `up` can do there is --project DIR")
    registered = Changes().register_project(project)
    data = {"project": registered.name, "model": registered.model, "archive": registered.digest()}
    click.echo(json.dumps(data) if as_json else f"project {registered.name} is registered ({registered.digest()[:12]})")


@click.command()
@click.option("--project", metavar="NAME", help="End only what runs for this project; what it has recorded stays.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@one_line_errors
def down(project: str | None, as_json: bool) -> None:
    """End the stack that `up` started here; its data stays."""
    if project is not None:
        take_down(stack_home(), project)
        click.echo(json.dumps({"ended": project}) if as_json else f"nothing runs for {project} any more; its data stays")
        return
    stopped = end_in_background(stack_home())
    text = "stack stopped" if stopped else "no stack runs here"
    click.echo(json.dumps({"stopped": stopped}) if as_json else text)


def _summary(addresses: StackAddresses) -> dict[str, object]:
    return {
        "home": addresses.home,
        "port_base": addresses.port_base,
        "kafka_bootstrap": addresses.kafka_bootstrap,
        "s3_endpoint": addresses.s3_endpoint,
        "registry_url": addresses.registry_url,
        "console_url": console_url(addresses),
        "services": addresses.services,
        "projects": addresses.projects,
    }


def _text(addresses: StackAddresses) -> str:
    services = {
        name: f"{url}  {addresses.projects[name]}" if name in addresses.projects else url for name, url in addresses.services.items()
    }
    rows = {"kafka": addresses.kafka_bootstrap, "s3": addresses.s3_endpoint, **services}
    lines = [f"  {name:<14}{address}" for name, address in rows.items()]
    console = console_url(addresses)
    look = [] if console is None else [f"look at it in a browser: {console}"]
    return "\n".join(["stack is up; end it with `driftloop down`", *lines, f"  {'logs':<14}{addresses.home}/logs", *look])


def console_url(addresses: StackAddresses) -> str | None:
    """None: the stack runs without one."""
    return next((url for name, url in addresses.services.items() if name.startswith(f"{CONSOLE.name}-")), None)

"""The one place that builds the notifier."""

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.contracts.services import NOTIFIER
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.service.checks import check_surroundings_but_for_a_silent_store
from driftloop.service.process import Stop, run_service
from driftloop.service.start import Parts, started
from driftloop_notifier.apprise_urls import AppriseUrls
from driftloop_notifier.deliveries import Deliveries
from driftloop_notifier.fold import TOPICS, NotifierFold
from driftloop_notifier.handlers import Notifier
from driftloop_notifier.observed import Watch
from driftloop_notifier.rules import RuleBook
from driftloop_notifier.secrets import Secrets
from driftloop_notifier.sending import Sender
from driftloop_notifier.settings import notifier_settings, secrets_setting
from driftloop_notifier.status import NotifierHealth
from driftloop_notifier.watching import Watching
from driftloop_notifier.webhook import Webhooks


def main() -> None:
    run_service(NOTIFIER.name, run)


def run(stop: Stop) -> None:
    settings = notifier_settings()
    parts, now = Parts(settings.common, stop), lambda: parts.clock.now()
    secrets = Secrets(secrets_setting(), settings.secrets_dir)
    webhooks, apprise_urls = Webhooks(secrets), AppriseUrls(secrets)

    def send_by(rule: NotifyRule) -> Sender:
        return webhooks if rule.to is not None else apprise_urls

    fold, rules = NotifierFold(), RuleBook(MinioObjectStore(settings.common.s3))
    reader = LogReader(parts.broker.topics("record"), TOPICS, Events(fold))
    deliveries = Deliveries(send_by, retry_seconds=settings.retry.total_seconds(), now=now)
    watching = Watching(settings.services, Watch(settings.stall), own=settings.common.instance, now=now)
    health = NotifierHealth(settings.common.instance, watches=bool(settings.services))
    with started(parts, health):
        parts.until_connected(lambda: check_surroundings_but_for_a_silent_store(settings.common, NOTIFIER.topics()))
        parts.registry.start(timeout_seconds=0)
        while not parts.registry.caught_up:  # a version that waits is not to be told of as decided about
            stop.check()
            stop.wait(0.1)
        notifier = Notifier(
            fold,
            reader,
            parts.registry.state,
            rules,
            watching,
            deliveries,
            parts.publisher(parts.producer()),
            now=now,
            max_age=settings.max_age,
            console_url=settings.console_url,
        )
        health.rules, health.deliveries, health.notifier = rules, deliveries, notifier
        watching.start()
        parts.at_end.callback(watching.stop)
        parts.at_end.callback(reader.close)
        notifier.run(stop)

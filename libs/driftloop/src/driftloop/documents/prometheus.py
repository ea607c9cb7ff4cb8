"""What Prometheus asks in the containers: ``python -m driftloop.documents.prometheus > infra/prometheus/prometheus.yml``."""

import sys

from driftloop.contracts.services import SERVICES

# infra/project/docker-compose.yml: the services of one more project have these names
FURTHER_PROJECT = "project-"
_NAMES = (*SERVICES, *(f"{FURTHER_PROJECT}{service.name}" for service in SERVICES.values() if service.for_project))


def text() -> str:
    """The configuration as it is committed."""
    return f"""\
# Generated from the table of services by `make docs`; do not edit.
global:
  scrape_interval: 5s

rule_files: [alerts.yml]

scrape_configs:
  - job_name: driftloop
    # every address behind a service's name, so that each instance is scraped
    dns_sd_configs:
      - names: [{", ".join(_NAMES)}]
        type: A
        port: 8080
        refresh_interval: 10s
    relabel_configs:
      - source_labels: [__meta_dns_name]
        regex: "(?:{FURTHER_PROJECT})?(.*)"
        target_label: service
"""


if __name__ == "__main__":
    sys.stdout.write(text())

"""When other projects' triggers would have had a model fitted again. Each runs in an environment of its own, so that what it needs never
enters ours: it reads files and writes one."""

"""The flights as the tests see them, read once."""

from functools import cache

from driftloop.demo.example import DATA, example_folder
from driftloop.demo.flights import Flights, read_flights
from driftloop.project.model import Project
from driftloop.project.reading import read_project


@cache
def project() -> Project:
    return read_project(example_folder())


@cache
def flights() -> Flights:
    return read_flights(example_folder() / DATA, project().schema)

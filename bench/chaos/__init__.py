"""``python -m bench chaos --seed N --minutes M``: faults at times drawn from a seed while traffic flows, then the reckoning.

One stack, two projects, two of each service that can be two. Every process is killed and paused, broker and store included, while
applications send what applications send. When the faults have stopped and everything is drained, topics, lake, registry and
answers are compared with what was sent. The exit code is 0 only if all holds.

Read in this order: ``faults`` (what is drawn), ``traffic`` (what is sent), ``command`` (the run), ``reckoning`` (what is checked).
"""

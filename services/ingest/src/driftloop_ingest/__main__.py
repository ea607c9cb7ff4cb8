from driftloop_ingest.bootstrap import main

main()

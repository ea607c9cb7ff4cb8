from driftloop_ingest.shadow.bootstrap import main

main()

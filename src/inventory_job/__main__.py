"""`python -m inventory_job` is the console script."""

from inventory_job.cli.main import main

if __name__ == "__main__":
    main()

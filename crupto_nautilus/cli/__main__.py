"""`python -m crupto_nautilus.cli`, the same as `crupto`."""

from crupto_nautilus.cli.main import main

if __name__ == "__main__":
    main()

"""Private PostgreSQL and RabbitMQ nodes: for tests (`conftest.py`) and newcomers (`make services`).

Each node runs from the installed binaries, on its own ports of 127.0.0.1, in its own folder, as root
too. A node of a test run ends with that run, however the run ends; see `process.py`.
"""

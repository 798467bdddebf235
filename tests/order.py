"""Which files of tests come first: pytest itself takes paths that overlap as one, in the order of their names."""

#: The longest first, then whole folders; what none of these begins a path of comes last.
FIRST = """
    tests/storms/test_crash_points tests/storms/test_provider tests/storms/test_relays
    tests/storms/test_database_network tests/storms/test_rabbitmq_cluster tests/storms/test_soak tests/storms/
    tests/acceptance/corridor/test_rate_limits tests/acceptance/corridor/test_secrets
    tests/acceptance/corridor/test_ten_thousand tests/browser/ tests/integration/test_nodes
    tests/integration/rabbitmq/test_outages tests/integration/metrics/ tests/conformance/test_storage_delivery
    tests/stock/ tests/acceptance/corridor/ tests/acceptance/ tests/integration/ tests/conformance/
    tests/unit/scheduling/test_bounds tests/catalogue/
""".split()


def place(path: str) -> int:
    """Where a file stands, by its path from the root: the less, the sooner it is begun."""
    return next((number for number, begins in enumerate(FIRST) if path.startswith(begins)), len(FIRST))

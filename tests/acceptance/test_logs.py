"""What the services print, for people."""

from tests.support.local_stack import LocalStack


def test_logs_show_what_a_service_prints(local_stack: LocalStack) -> None:
    shown = local_stack.platform("logs", "orders", "-n", "50")
    assert shown.returncode == 0, shown.stderr
    assert '"service"' in shown.stdout
    unknown = local_stack.platform("logs", "order")
    assert unknown.returncode != 0
    assert "orders" in unknown.stderr

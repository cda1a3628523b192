"""Errors between services: names, paths, queues and events."""

from pathlib import Path

import pytest

from platform_sdk.deploy.config_errors import InvalidManifest
from platform_sdk.deploy.manifest import load_services


class Repository:
    """Two services that agree, `shop` and `stock`; a test changes one thing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("shop", self.toml("shop", "/shop", consumes='["stock.low"]', publishes='"shop.sold" = ["stock"]'))
        self.write("stock", self.toml("stock", "/stock", consumes='["shop.sold"]', publishes='"stock.low" = ["shop"]'))

    @staticmethod
    def toml(name: str, path: str, *, consumes: str, publishes: str) -> str:
        return (
            f'[service]\nname = "{name}"\npath = "{path}"\n'
            "[task]\ncpu = 256\nmemory_mib = 512\n[scaling]\nmin_tasks = 1\nmax_tasks = 1\n"
            '[commands]\napi = ["a"]\n[worker]\ncommand = ["w"]\nmin_tasks = 1\nmax_tasks = 1\n'
            f"[queues.{name}]\nconsumes = {consumes}\n[publishes]\n{publishes}\n"
        )

    def write(self, folder: str, text: str) -> None:
        path = self.root / "services" / folder / "platform.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def change(self, folder: str, was: str, becomes: str) -> None:
        path = self.root / "services" / folder / "platform.toml"
        text = path.read_text(encoding="utf-8")
        assert was in text
        path.write_text(text.replace(was, becomes), encoding="utf-8")

    def errors(self) -> list[str]:
        with pytest.raises(InvalidManifest) as caught:
            load_services(self.root)
        return [str(error) for error in caught.value.errors]


@pytest.fixture
def repository_of_two(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_services_that_agree_are_loaded_by_name(repository_of_two: Repository) -> None:
    assert [spec.name for spec in load_services(repository_of_two.root)] == ["shop", "stock"]


def test_a_repository_without_services_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match=r"services: no service has a platform\.toml"):
        load_services(tmp_path)


def test_a_service_is_called_like_its_folder(repository_of_two: Repository) -> None:
    repository_of_two.change("stock", 'name = "stock"', 'name = "stocks"')
    assert repository_of_two.errors() == [
        'services/stock/platform.toml:2: service.name: "stocks" is not the name of its folder, which is "stock"; '
        "did you mean stock?"
    ]


def test_two_services_on_one_path(repository_of_two: Repository) -> None:
    repository_of_two.change("stock", '"/stock"', '"/shop"')
    assert repository_of_two.errors() == [
        'services/stock/platform.toml:3: service.path: "/shop" is also "/shop" of services/shop/platform.toml:3; '
        "choose a path that no other service contains"
    ]


@pytest.mark.parametrize(("first", "second"), [("/shop", "/shop/stock"), ("/stock/shop", "/stock")])
def test_a_path_below_another(repository_of_two: Repository, first: str, second: str) -> None:
    repository_of_two.change("shop", '"/shop"', f'"{first}"')
    repository_of_two.change("stock", '"/stock"', f'"{second}"')
    assert repository_of_two.errors() == [
        f'services/stock/platform.toml:3: service.path: "{second}" overlaps "{first}" of '
        "services/shop/platform.toml:3; choose a path that no other service contains"
    ]


def test_a_path_that_only_begins_like_another_is_allowed(repository_of_two: Repository) -> None:
    repository_of_two.change("stock", '"/stock"', '"/shop-stock"')
    assert load_services(repository_of_two.root)


def test_a_queue_that_two_services_own(repository_of_two: Repository) -> None:
    repository_of_two.change("stock", "[queues.stock]", "[queues.shop]")
    assert (
        "services/stock/platform.toml:16: queues.shop: the queue is owned by services/shop/platform.toml:16 as well; "
        "choose another name"
    ) in repository_of_two.errors()


def test_publishing_to_a_queue_that_nobody_owns(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", '["stock"]', '["stock", "stcok"]')
    assert repository_of_two.errors() == [
        'services/shop/platform.toml:19: publishes."shop.sold"[1]: no service owns a queue "stcok"; did you mean stock?'
    ]


def test_a_queue_that_nobody_publishes_to(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", '["stock"]', "[]")
    assert repository_of_two.errors() == [
        "services/stock/platform.toml:16: queues.stock: nobody publishes to this queue; "
        'list "stock" in the [publishes] of some service'
    ]


def test_consuming_an_event_that_goes_elsewhere(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", '"shop.sold" = ["stock"]', '"shop.sold" = ["stock"]\n"shop.shut" = []')
    repository_of_two.change("stock", '["shop.sold"]', '["shop.sold", "shop.shut"]')
    assert repository_of_two.errors() == [
        'services/stock/platform.toml:17: queues.stock.consumes[1]: nobody publishes "shop.shut" to the queue "stock"; '
        'add "stock" to publishes."shop.shut" at services/shop/platform.toml:20'
    ]


def test_consuming_an_event_that_does_not_exist(repository_of_two: Repository) -> None:
    repository_of_two.change("stock", '["shop.sold"]', '["shop.sold", "shop.solt"]')
    assert repository_of_two.errors() == [
        'services/stock/platform.toml:17: queues.stock.consumes[1]: nobody publishes "shop.solt" to the queue "stock"; '
        "did you mean shop.sold?"
    ]


def test_publishing_what_the_owner_does_not_consume(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", '"shop.sold" = ["stock"]', '"shop.sold" = ["stock"]\n"shop.shut" = ["stock"]')
    assert repository_of_two.errors() == [
        'services/shop/platform.toml:20: publishes."shop.shut"[0]: "shop.shut" is not among what the owner of the '
        'queue "stock" consumes; add it at services/stock/platform.toml:17, or remove the queue here'
    ]


def test_errors_of_every_file_are_reported_at_once(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", "cpu = 256", "cpu = 257")
    repository_of_two.change("stock", "max_tasks = 1\n[commands]", "max_tasks = 0\n[commands]")
    repository_of_two.change("stock", '["shop.sold"]', '["shop.sold", "shop.solt"]')
    assert [error.split(": ")[0] for error in repository_of_two.errors()] == [
        "services/shop/platform.toml:5",
        "services/stock/platform.toml:9",
        "services/stock/platform.toml:17",
    ]


def test_a_broken_file_makes_no_errors_in_others(repository_of_two: Repository) -> None:
    repository_of_two.write("shop", "[service\n")
    assert repository_of_two.errors() == [
        "services/shop/platform.toml:1: is not TOML: Expected ']' at the end of a table declaration at column 9"
    ]


def test_broken_publications_make_no_errors_in_others(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", '["stock"]', '"stock"')
    assert len(repository_of_two.errors()) == 1


def test_errors_beside_the_events_do_not_hide_those_of_the_events(repository_of_two: Repository) -> None:
    repository_of_two.change("shop", '["stock"]', '["stock", "stcok"]')
    repository_of_two.change("stock", '["shop.sold"]', '["shop.sold"]\nmax_receive_count = 0')
    repository_of_two.change("stock", "[worker]", "[wroker]")
    assert [error.split(": ")[1] for error in repository_of_two.errors()] == [
        'publishes."shop.sold"[1]',
        "wroker",
        "worker",
        "queues.stock.max_receive_count",
    ]

"""The form is the model's own; a value is answered, marked or refused; the last answer counts."""

import json
import subprocess
from contextlib import suppress

from playwright.sync_api import Route, expect
from support.patience import patience
from support.serving.page_visits import (
    Visit,
    await_shown,
    input_box,
    predict_one,
    predict_typical,
    shown_value,
    typical_row,
)
from support.serving.servers import await_true, serving

from registry import ModelStore
from registry.package import ModelPackage


def test_the_form_is_the_models_and_its_answer_the_packages_own(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        await_shown(page, predict_typical(homes))
        input_box(page, "size").fill("150.25")
        input_box(page, "age").fill("")
        input_box(page, "region").select_option(label="south")
        page.get_by_role("switch", name="garden").set_checked(not typical_row(homes)["garden"])
        row = {
            "size": 150.25,
            "age": None,
            "region": "south",
            "garden": not typical_row(homes)["garden"],
        }
        value = predict_typical(homes, **row)
        await_shown(page, value)
        assert visit.sent("/predict")[-1] in (
            row,
            [{**row, "garden": True}, {**row, "garden": False}],
        )
        assert row in visit.sent("/predict")
        assert page.locator("#number").inner_text() == f"{value:.2f}"
        assert (
            page.locator("#interval").inner_text()
            == f"{value - 2:.2f} to {value + 2:.2f}, 90 % interval"
        )
        expect(input_box(page, "age")).to_have_value("")
        expect(input_box(page, "age")).to_have_accessible_description("optional")
        page.get_by_role("button", name="Back to typical values").click()
        await_shown(page, predict_typical(homes))
        expect(input_box(page, "age")).not_to_have_value("")


def test_a_classification_shows_every_classes_share(
    visit: Visit, store: ModelStore, flowers: ModelPackage
) -> None:
    with serving(store, flowers) as client:
        page = visit.open(client)
        input_box(page, "width").fill("2.5")
        input_box(page, "length").fill("-0.25")
        shares = predict_one(flowers, {"width": 2.5, "length": -0.25})
        likeliest = "abc"[int(shares.argmax())]
        expect(page.locator(".bars .chosen .share")).to_have_text(f"{shares.max() * 100:.1f} %")
        expect(page.locator("#number")).to_have_text(likeliest)
        expect(page.locator(".bars .share")).to_have_text(
            [f"{share * 100:.1f} %" for share in shares]
        )
        table = page.get_by_role("table")
        expect(table.get_by_role("row").nth(1).get_by_role("cell")).to_have_text(
            ["2 67 %", "1 33 %", "0 0 %"]
        )
        assert f"share of {likeliest} along length" in (
            page.locator("#whatif-chart svg").get_attribute("aria-label") or ""
        )


def test_slider_and_box_go_in_step(visit: Visit, store: ModelStore, homes: ModelPackage) -> None:
    column = homes.manifest.columns[0]
    assert column.maximum
    with serving(store, homes) as client:
        page = visit.open(client)
        slider = page.get_by_role("slider", name="size, slider")
        input_box(page, "size").fill("77.5")
        assert slider.input_value() == "77.5"
        slider.press("ArrowRight")
        moved = float(input_box(page, column.name).input_value())
        assert moved == float(slider.input_value()) > 77.5
        await_shown(page, predict_typical(homes, size=moved))
        slider.press("End")
        assert float(input_box(page, column.name).input_value()) == column.maximum
        assert page.get_by_text("never seen in training").count() == 0
        slider.press("Home")
        assert float(input_box(page, column.name).input_value()) == column.minimum


def test_an_error_is_shown_at_its_field_and_the_old_answer_stays(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        before = shown_value(page)
        input_box(page, "size").fill("")
        expect(input_box(page, "size")).to_have_attribute("aria-invalid", "true")
        expect(input_box(page, "size")).to_have_accessible_description("a number is missing here")
        expect(page.locator("#trouble")).to_be_visible()
        expect(page.locator("#request")).to_be_hidden()
        assert shown_value(page) == before
        input_box(page, "size").fill("1e39")
        expect(page.locator(".note.problem")).to_contain_text("less than or equal")
        input_box(page, "size").fill("100")
        await_shown(page, predict_typical(homes, size=100.0))
        assert input_box(page, "size").get_attribute("aria-invalid") is None
        expect(page.locator("#trouble")).to_be_hidden()
        expect(page.locator("#request")).to_be_visible()


def test_a_value_outside_of_what_training_saw_is_answered_and_marked(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        input_box(page, "size").fill("500")
        header = client.post("/predict", json={**typical_row(homes), "size": 500}).headers[
            "X-Model-Warning"
        ]
        expect(page.locator("#warnings li")).to_have_text([header])
        expect(input_box(page, "size")).to_have_accessible_description(
            "outside 20.49 to 199.5, never seen in training"
        )
        await_shown(page, predict_typical(homes, size=500.0))
        input_box(page, "size").fill("50")
        expect(page.locator("#warnings li")).to_have_count(0)


def test_an_answer_that_comes_too_late_is_not_shown(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if '"size":60' in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    with serving(store, homes) as client:
        page = visit.open(client)
        page.route("**/predict*", hold)
        input_box(page, "size").fill("60")
        await_true(lambda: page.evaluate("1") and held, "a request for size 60")
        input_box(page, "size").fill("180")
        value = predict_typical(homes, size=180.0)
        await_shown(page, value)
        with suppress(Exception):  # the browser has given it up
            held[0].continue_()
        input_box(page, "region").select_option(label="south")
        await_shown(page, predict_typical(homes, size=180.0, region="south"))
        page.unroute_all(behavior="ignoreErrors")


def test_many_changes_are_few_requests(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        page.get_by_role("switch", name="What if").uncheck()
        before = len(visit.sent("/predict"))
        page.evaluate("""() => {
            const box = document.getElementById("field-0");
            for (let i = 30; i < 80; i += 1) {
                box.value = i;
                box.dispatchEvent(new Event("input"));
            }
        }""")
        await_shown(page, predict_typical(homes, size=79.0))
        assert len(visit.sent("/predict")) == before + 1


def test_the_request_it_shows_gives_the_same_answer(
    visit: Visit, store: ModelStore, homes: ModelPackage
) -> None:
    with serving(store, homes) as client:
        page = visit.open(client)
        input_box(page, "size").fill("91.5")
        await_shown(page, predict_typical(homes, size=91.5))
        page.get_by_text("As a request").click()
        command = ["/bin/sh", "-c", page.locator("#curl").inner_text()]
        done = subprocess.run(command, capture_output=True, check=True, timeout=patience(30))
        assert json.loads(done.stdout)["predicted_price"] == float(shown_value(page))

"""Attacks on the studio: by other pages, by names of files and by what specs and browsers hold."""

import http.client
import json
import socket
import urllib.parse

import pytest
import studios
from test_studio_worker import SLOW

from archspec.studio.safety import LARGEST_BODY

SPEC = json.dumps(
    {
        "archspec": 1,
        "name": "mine",
        "input": {"shape": [3, 16, 16]},
        "body": [{"op": "conv", "name": "stem", "channels": 8, "kernel": 3}],
    },
    indent=1,
)
SECRET = '{"archspec": 1, "name": "secret"}'
SCRIPT = "<img src=x onerror=hacked=1><script>hacked=1</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    inner = outer / "inner"
    inner.mkdir()
    (inner / "mine.json").write_text(SPEC)
    (outer / "secret.json").write_text(SECRET)
    (inner / "link.json").symlink_to(outer / "secret.json")
    (inner / "out").symlink_to(outer)
    return inner


@pytest.fixture
def page(browser, address, folder):
    (folder / "mine.json").write_text(SPEC)
    with studios.editing(browser, address, "mine.json") as found:
        yield found


def send(address, path, body=None, **headers):
    """(status, text) of a request below the token, with headers as given."""
    parts = urllib.parse.urlsplit(address)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    data = None if body is None else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", parts.path + path, data, names)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Origin": "http://example.org"}, "another page asks"),
        ({"Origin": "null"}, "another page asks"),
        ({"Sec_Fetch_Site": "cross-site"}, "another page asks"),
        ({"Sec_Fetch_Site": "same-site"}, "another page asks"),
        ({"Host": "rebound.example.org:7353"}, "not the studio's"),
        ({"Host": "127.0.0.1"}, "not the studio's"),
    ],
)
def test_another_page_is_refused(address, headers, words):
    for path, body in (("", None), ("api/start", None), ("api/open", {"name": "mine.json"})):
        status, text = send(address, path, body, **headers)
        assert status == 403
        assert words in text


def test_without_the_token_nothing_is_told(address):
    token = urllib.parse.urlsplit(address).path.strip("/")
    for other in ("", "x", token[:-1], token + "x", token.swapcase(), "é", "%00"):
        at = address.replace(token, urllib.parse.quote(other))
        status, text = send(at, "api/start")
        assert status == 403
        assert "lacks its token" in text
        assert "root" not in text


@pytest.mark.parametrize(
    "name",
    [
        "../secret.json", "a/../../secret.json", "link.json", "out/secret.json", "/etc/passwd",
        "..\\secret.json", "", ".", "..", "mine.json/../../secret.json", "shipped:../../../secret",
        "shipped:/etc/passwd", "a\0b.json", "a\nb.json",
    ],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(address, folder, name):
    request = {"name": name, "text": SPEC, "sum": None, "tab": "t", "settings": {}}
    status, text = send(address, "api/open", {"name": name})
    assert (status, "secret" in json.loads(text).get("text", "")) == (400, False)
    assert send(address, "api/save", request)[0] == 400
    quoted = urllib.parse.quote(name)
    assert send(address, f"api/card?name={quoted}")[0] == 400
    out = {**request, "name": "mine.json", "output": "normal", "file": f"{name}.normal.json"}
    if name.startswith(("../", "a/", "out/", "/")):
        assert '"failed"' in send(address, "api/ask/write", out)[1]
    compared = {**request, "name": "mine.json", "other": name}
    assert '"failed"' in send(address, "api/ask/compare", compared)[1]
    if name not in ("", "."):  # which are the folder itself
        assert '"failed"' in send(address, "api/ask/run", {"run": name})[1]
    imported = {**request, "file": str(folder / "mine.json")}  # the page names no file to read
    assert send(address, "api/ask/import", imported)[0] == 400
    assert send(address, f"api/import?name={quoted}", {})[0] == 400
    assert (folder.parent / "secret.json").read_text() == SECRET
    assert {path.name for path in folder.parent.iterdir()} == {"inner", "secret.json"}


def test_a_spec_imports_nothing_from_without(address):
    text = json.dumps({**json.loads(SPEC), "imports": ["../secret.json"]})
    _, answer = send(address, "api/ask/look", {"name": "mine.json", "text": text, "tab": "t"})
    assert json.loads(answer.splitlines()[0])["marks"]
    assert 'secret\\"' not in answer


def test_too_large_a_request_is_refused(address):
    parts = urllib.parse.urlsplit(address)
    for length in (f"Content-Length: {LARGEST_BODY + 1}", "Transfer-Encoding: chunked"):
        with socket.create_connection((parts.hostname, parts.port), 10) as raw:
            head = f"POST {parts.path}api/open HTTP/1.1\r\nHost: {parts.netloc}\r\n{length}\r\n\r\n"
            raw.sendall(head.encode())
            assert b" 403 " in raw.recv(4096)
    for body in (b"[" * 100_000, b"\xff", b"null"):
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.request("POST", f"{parts.path}api/open", body)
        assert connection.getresponse().status == 400
        connection.close()


def put(page, text):
    """Another text in place of what is there, as a paste makes it."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            document.querySelector(".cm-content").dispatchEvent(
              new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }""",
        text,
    )


def test_script_in_a_spec_is_text(page, folder):
    (folder / "template.json").write_text(
        json.dumps(
            {
                "archspec": 1, "name": "lib", "doc": SCRIPT,
                "templates": {"T": {"doc": SCRIPT, "body": [{"op": "act", "function": "relu"}]}},
            }
        )
    )  # fmt: skip
    spec = {
        "archspec": 1, "name": "mine", "doc": SCRIPT, "input": {"shape": [3, 16, 16]},
        "args": {"n": {"type": "integer", "default": 4, "doc": SCRIPT}},
        "outputs": {"classes": ["a", SCRIPT]},
        "body": [{"op": "conv", "name": SCRIPT, "channels": "=n", "kernel": 1}],
    }  # fmt: skip
    put(page, json.dumps(spec, indent=1))
    page.wait_for_selector(".verdict.bad")
    assert "<img" in page.locator(".problems").inner_text()
    del spec["outputs"]
    spec["body"][0]["name"] = "stem"
    put(page, json.dumps(spec, indent=1))
    page.wait_for_selector(".verdict.good")
    page.wait_for_selector(".stage svg")
    page.keyboard.press("Control+s")
    page.wait_for_selector("text=saved mine.json")
    page.locator("header a").click()
    page.wait_for_selector(".card .doc >> text=<img src=x")
    assert page.evaluate("typeof hacked") == "undefined"
    assert page.locator("img[src=x]").count() == 0
    (folder / "template.json").unlink()


def test_bombs_leave_the_page_alive(page):
    body = [{"op": "act", "name": "a", "function": "relu"}]
    for depth in range(12):
        body = [{"repeat": 50, "name": f"r{depth}x", "body": body}]
    bomb = {**json.loads(SPEC), "body": body}
    put(page, json.dumps(bomb))
    page.wait_for_selector(".verdict.bad")
    act = [{"op": "act", "function": "relu"}]
    copies = [
        {"repeat": 100, "name": f"r{k}x", "body": [{"repeat": 100, "body": act}]} for k in range(10)
    ]
    put(page, json.dumps({**json.loads(SPEC), "body": copies}))  # 100,000 nodes
    page.wait_for_selector(".problems >> text=use fewer copies")
    put(page, SLOW)  # which may be, and takes long
    page.wait_for_timeout(500)
    put(page, SPEC.replace("mine", "after"))
    page.wait_for_selector(".verdict.good")
    page.wait_for_selector(".numbers b >> text=216")
    page.wait_for_selector(".stage:not(.stale) svg")


@pytest.mark.slow
def test_of_ten_thousand_nodes_it_says_what_it_leaves_out(page):
    body = [
        node
        for k in range(5000)
        for node in ({"op": "conv", "name": f"c{k}", "channels": 3 + k % 61, "kernel": 3}, "relu")
    ]
    put(page, json.dumps({**json.loads(SPEC), "body": body}, indent=1))
    page.wait_for_selector(".numbers dd b >> text=10,000")
    page.locator("text=by node").click()
    page.wait_for_selector("text=8,000 more nodes are left out; by block shows all")
    page.wait_for_selector(".stage svg text >> text=note: neighbouring")
    assert page.locator(".stage svg > *").count() < 1000
    put(page, SPEC.replace('"channels": 8', '"channels": 9'))
    page.wait_for_selector(".numbers b >> text=243")


def test_a_paste_of_fifty_megabytes_is_refused_with_a_sentence(page):
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "x".repeat(50 * 2 ** 20));
            document.querySelector(".cm-content").dispatchEvent(
              new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    page.wait_for_selector("text=use at most")
    put(page, SPEC.replace('"channels": 8', '"channels": 9'))
    page.wait_for_selector(".numbers b >> text=243")


def test_two_tabs_do_not_write_over_each_other(browser, address, page, folder):
    with studios.showing(browser, f"{address}#edit/mine.json") as other:
        other.wait_for_selector(".stage svg")
        put(page, SPEC.replace("mine", "first"))
        put(other, SPEC.replace("mine", "second"))
        page.wait_for_selector("header .dot")
        other.wait_for_selector("header .dot")
        page.keyboard.press("Control+s")
        page.wait_for_selector("text=saved mine.json")
        other.keyboard.press("Control+s")
        other.wait_for_selector("dialog .cm-mergeView")
        assert "first" in (folder / "mine.json").read_text()
        assert "second" in other.locator("dialog").inner_text()


def test_a_studio_that_is_killed_loses_no_text(browser, folder, tmp_path):
    (tmp_path / "mine.json").write_text(SPEC)
    port = socket.create_server(("127.0.0.1", 0))
    number = str(port.getsockname()[1])
    port.close()
    edited = SPEC.replace('"channels": 8', '"channels": 24')
    context = browser.new_context()
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    started = studios.starting("mine.json", "--port", number, folder=tmp_path)
    with started as (at, process):
        page.goto(at)
        page.wait_for_selector(".stage svg")
        process.kill()
        put(page, edited)
        page.wait_for_selector("text=your text is kept in this browser")
        page.wait_for_timeout(500)
    with studios.serving("mine.json", "--port", number, folder=tmp_path) as at:
        page.goto(at)
        page.locator("text=take them").click()
        page.wait_for_selector(".cm-line >> text=24")
        page.keyboard.press("Control+s")
        page.wait_for_selector("text=saved mine.json")
    assert (tmp_path / "mine.json").read_text() == edited
    context.close()

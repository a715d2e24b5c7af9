"""The protocol's own SDK for Python, as its guide to OAuth shows it: a storage that keeps tokens in memory."""
import asyncio
import json
import os
import sys
from urllib.parse import parse_qs, urlsplit

from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata

REDIRECT_URI = "http://localhost:3030/callback"


def read():
    return json.loads(sys.stdin.readline() or sys.exit())


def write(answer):
    print(json.dumps(answer), flush=True)


class Storage:
    """What a client keeps of one server."""

    def __init__(self):
        self.tokens = None
        client = os.environ["CLIENT_ID"]
        self.client = OAuthClientInformationFull(client_id=client, token_endpoint_auth_method="none", redirect_uris=[REDIRECT_URI]) if client else None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


async def opens(url):
    write({"open": url})


async def comes_back():
    query = parse_qs(urlsplit(read()["back"]).query)
    return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query["iss"][0])


def provider(url):
    metadata = OAuthClientMetadata(client_name="Python SDK", redirect_uris=[REDIRECT_URI])
    return OAuthClientProvider(url, metadata, Storage(), opens, comes_back, client_metadata_url=os.environ["CLIENT_DOCUMENT"] or None)


async def run(url, auth, tool):
    async with create_mcp_http_client(auth=auth) as http, Client(streamable_http_client(url, http_client=http)) as client:
        if not tool:
            return {"tools": [tool.name for tool in (await client.list_tools()).tools]}
        return {"text": (await client.call_tool(tool)).content[0].text}


async def main():
    providers = {}  # one for each server
    while True:
        order = read()
        url = order["url"]
        providers.setdefault(url, provider(url))
        try:
            write(await run(url, providers[url], order.get("tool")))
        except Exception as failure:
            write({"error": repr(failure)})


asyncio.run(main())

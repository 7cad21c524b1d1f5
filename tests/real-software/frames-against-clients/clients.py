"""The SDKs for Python as clients for check.py. Arguments: the SDK, the base URL, the cases.

Prints a JSON line for each case: the values that the stream yielded, and the error that it ended with, or null.
"""

import asyncio
import json
import logging
import sys

SDK, BASE, *CASES = sys.argv[1:]


def openai(url):
    from openai import OpenAI

    client = OpenAI(api_key="-", base_url=url, max_retries=0)
    stream = client.chat.completions.create(model="-", messages=[{"role": "user", "content": "-"}], stream=True)
    for chunk in stream:
        yield chunk.choices[0].delta.content


def anthropic(url):
    from anthropic import Anthropic

    client = Anthropic(api_key="-", base_url=url, max_retries=0)
    messages = [{"role": "user", "content": "-"}]
    stream = client.messages.create(model="-", max_tokens=1, messages=messages, stream=True)
    for event in stream:
        if event.type == "content_block_delta":
            yield event.delta.text


def cohere(url):
    from cohere import ClientV2

    client = ClientV2(api_key="-", base_url=url)
    for event in client.chat_stream(model="-", messages=[{"role": "user", "content": "-"}]):
        yield event.delta.message.content.text


def langgraph(url):
    from langgraph_sdk import get_sync_client

    client = get_sync_client(url=url, api_key="-")
    for part in client.runs.stream("thread", "assistant", input={}):
        yield part.data and part.data["text"]


def gemini(url):
    from google.genai import Client
    from google.genai.types import HttpOptions

    client = Client(api_key="-", http_options=HttpOptions(base_url=url))
    for part in client.models.generate_content_stream(model="-", contents="-"):
        yield part.text


async def mcp(url):
    """A client of the Model Context Protocol. The server measures when it requests the stream of server messages again."""
    import httpx2
    from mcp.client.session import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(trust_env=False) as http, streamable_http_client(url, http_client=http) as streams:
        async with ClientSession(*streams[:2]) as session:
            await session.initialize()
            await asyncio.sleep(3600)


async def all_at_once(client, urls):
    await asyncio.gather(*map(client, urls))


def main():
    logging.disable()
    if SDK == "mcp":
        asyncio.run(all_at_once(mcp, [f"{BASE}/{case}" for case in CASES]))
    for case in CASES:
        seen, error = [], None
        try:
            for item in globals()[SDK](f"{BASE}/{case}"):
                seen.append(item)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        print(json.dumps({"case": case, "seen": seen, "error": error}), flush=True)


main()

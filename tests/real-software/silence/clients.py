"""HTTP libraries for Python that read a stream, for measure.py. Arguments: the library and the URL."""

import asyncio
import sys

LIBRARY, URL = sys.argv[1:]


def urllib():
    from urllib.request import urlopen

    for _ in urlopen(URL):
        pass


def httpx():
    import httpx

    with httpx.stream("GET", URL, trust_env=False) as response:
        for _ in response.iter_lines():
            pass


def requests():
    import requests

    for _ in requests.get(URL, stream=True).iter_lines(chunk_size=1):
        pass


def niquests():
    import niquests

    for _ in niquests.get(URL, stream=True).iter_lines(chunk_size=1):
        pass


def aiohttp():
    import aiohttp

    async def read():
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            async for _ in response.content:
                pass

    asyncio.run(read())


globals()[LIBRARY]()

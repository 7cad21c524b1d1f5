"""OpenAI's SDK as a client for check.py: prints the text of each chunk of a chat completion and how the stream ended, one
JSON object per line. Argument: the base URL.
"""

import json
import sys

from openai import OpenAI


def tell(**what):
    print(json.dumps(what), flush=True)


def main():
    client = OpenAI(api_key="-", base_url=sys.argv[1], max_retries=0)
    try:
        stream = client.chat.completions.create(model="-", messages=[{"role": "user", "content": "-"}], stream=True)
        for chunk in stream:
            tell(text=chunk.choices[0].delta.content)
    except Exception as error:
        tell(end=str(error))
    else:
        tell(end=None)


main()

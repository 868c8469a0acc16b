"""A mail server that delivers nothing: each mail becomes a file of JSON, FOLDER/DOMAIN OF THE RECIPIENT/NUMBER.json.

    mail.py PORT FOLDER

It refuses the recipient `refused` of any domain for good (550), and `busy` for now (451).
"""

import asyncio
import email
import email.policy
import json
import os
import re
import signal
import sys
import time
from functools import partial

from aiosmtpd.smtp import SMTP

LARGEST = 1 << 20


class Keep:
    def __init__(self, folder):
        self.folder = folder
        self.last = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        name, _, domain = address.rpartition("@")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", domain):
            return "553 5.1.3 this is no address"
        if name == "refused":
            return "550 5.1.1 there is no such mailbox"
        if name == "busy":
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            self.keep(recipient, envelope)
        return "250 OK"

    def keep(self, recipient, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body(preferencelist=("plain", "html"))
        mail = {
            "from": envelope.mail_from,
            "to": recipient,
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": body.get_content() if body else "",
            "raw": envelope.content.decode("utf-8", "replace"),
        }
        folder = os.path.join(self.folder, recipient.rpartition("@")[2].lower())
        os.makedirs(folder, exist_ok=True)
        # Files in the order of their names are mails in the order of their arrival, also over several starts.
        self.last = max(time.time_ns(), self.last + 1)
        name = os.path.join(folder, f"{self.last}.json")
        with open(name + ".new", "w", encoding="utf-8") as file:
            json.dump(mail, file, ensure_ascii=False, indent=2)
        os.replace(name + ".new", name)


async def serve(port, folder):
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    keep = Keep(folder)
    new = partial(SMTP, keep, hostname="localhost", data_size_limit=LARGEST, enable_SMTPUTF8=True, loop=loop)
    server = await loop.create_server(new, "127.0.0.1", port)
    await stop.wait()
    server.close()


asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))

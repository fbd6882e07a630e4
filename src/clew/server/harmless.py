"""What is said with bytes that users stored, so that a browser can do nothing with them but show or keep them.

Whoever may write can store a page with a script: no browser is to run it as if it were the server's.
"""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

"""The AWS door: AWS Proton's own API, signed with Signature Version 4, and short-lived keys for it."""

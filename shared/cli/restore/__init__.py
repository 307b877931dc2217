"""`scalar-backup restore …`: asked for, confirmed, followed, taken back.

commands   the commands
payloads   what the options of `plan` say to the restore function
planned    a restore plan for people
view       what is known about a restore at one moment, and following it
progress   a view for people: line by line, and as a picture
next_step  what can be done with a restore now, as commands
"""

from shared.cli.restore.commands import restore

__all__ = ["restore"]

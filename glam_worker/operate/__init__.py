"""What can be done to running services from outside: by commands, and by the console.

Plain functions over a connection; nothing here prints, asks or reads the environment.
"""

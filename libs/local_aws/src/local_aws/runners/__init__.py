"""What turns a task definition into something that runs, and stops it again."""

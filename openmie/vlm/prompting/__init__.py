"""Questions of any task to a model that was not trained for it: asked, answered, read and located."""
